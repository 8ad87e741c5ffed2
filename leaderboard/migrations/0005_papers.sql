-- Papers as cards and tables: what each says of its protocol, and its numbers in the order in which they stand there.
-- The rows are those of the files in published/, so the table is made anew and filled from them.

DROP TABLE published;
DELETE FROM published_files;

CREATE TABLE papers (
    paper_id VARCHAR PRIMARY KEY,            -- the files' name: osfv-2021
    title VARCHAR NOT NULL,
    year INTEGER NOT NULL,
    venue VARCHAR NOT NULL,
    link VARCHAR NOT NULL,
    card JSON NOT NULL                       -- the whole card: protocol, what is not stated, layout of the tables
);

CREATE TABLE published (
    paper_id VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,                -- line in the paper's file
    paper VARCHAR NOT NULL,
    year INTEGER NOT NULL,
    paper_table VARCHAR,                     -- NULL: its number is not known
    task VARCHAR NOT NULL,
    dataset VARCHAR,
    model VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    scale VARCHAR,                           -- unit or range, NULL where it is not stated
    converted DOUBLE,                        -- the value on the usual scale, NULL where none is needed or exact
    converted_scale VARCHAR,
    evidence VARCHAR NOT NULL,               -- transcription | stored page | memory
    verified BOOLEAN NOT NULL,               -- somebody has read it in the paper; others are never ranked
    note VARCHAR,
    PRIMARY KEY (paper_id, ordinal)
);
