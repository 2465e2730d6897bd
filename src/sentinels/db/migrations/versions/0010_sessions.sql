-- What a token is for: the HTTP interface, one entry of a browser, or a browser's session.
ALTER TABLE tokens
    ADD COLUMN kind TEXT DEFAULT 'token' NOT NULL,
    ADD CONSTRAINT tokens_kind_check CHECK (kind IN ('token', 'code', 'session'));
