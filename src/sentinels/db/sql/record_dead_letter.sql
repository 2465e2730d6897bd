INSERT INTO dead_letters (type, source, subject, code, destination, detail, data_excerpt)
VALUES (:type, :source, CAST(:subject AS text), CAST(:code AS text), CAST(:destination AS text),
        CAST(:detail AS text), :data_excerpt)
