-- Numbers that papers report: they stand beside the measured ones and are never ranked with them.

CREATE TABLE published (
    paper VARCHAR NOT NULL,
    year INTEGER,
    paper_table VARCHAR,
    task VARCHAR NOT NULL,
    dataset VARCHAR,
    model VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    scale VARCHAR,                           -- unit or range, NULL where it is not stated
    evidence VARCHAR NOT NULL,               -- transcription | stored page | memory (unverified)
    note VARCHAR
);

CREATE TABLE published_files (name VARCHAR PRIMARY KEY, sha256 VARCHAR NOT NULL);
