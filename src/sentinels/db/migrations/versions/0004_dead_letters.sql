-- Events that nobody took, for people to look at; signs of life of what sends events.
CREATE TABLE dead_letters (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    subject TEXT,
    code TEXT,
    destination TEXT,
    detail TEXT,
    data_excerpt TEXT DEFAULT '' NOT NULL,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN dead_letters.code IS 'the HTTP status of the last try; null: not told';

COMMENT ON COLUMN dead_letters.destination IS 'who did not take it';

COMMENT ON COLUMN dead_letters.detail IS 'what was answered to the last try';

CREATE TABLE signs (
    name TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT signs_pkey PRIMARY KEY (name)
);

COMMENT ON COLUMN signs.name IS 'tick:dispatch, tick:notify or events:jobs';

COMMENT ON COLUMN signs.since IS 'first heard';

COMMENT ON COLUMN signs.at IS 'last heard';
