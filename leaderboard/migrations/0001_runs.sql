-- Run records as they were written, their samples, and the scores computed from those once.

CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY,
    created TIMESTAMP NOT NULL,              -- UTC
    source VARCHAR NOT NULL,                 -- measured | predictions
    model VARCHAR NOT NULL,
    preset VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,                   -- model | calibration
    resolution INTEGER,
    parameters BIGINT,
    paper VARCHAR,
    licence VARCHAR,
    checkpoint VARCHAR,
    weights_sha256 VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    dataset_fingerprint VARCHAR NOT NULL,
    n_clips INTEGER NOT NULL,
    protocol VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    pair_list_sha256 VARCHAR NOT NULL,
    n_pairs INTEGER NOT NULL,
    size INTEGER NOT NULL,                   -- pixels at which frames are compared
    frames_per_clip INTEGER NOT NULL,
    suite VARCHAR NOT NULL,
    seconds_model DOUBLE,
    frames_driven BIGINT,
    samples_sha256 VARCHAR NOT NULL,
    record JSON NOT NULL,                    -- the whole run.json
    record_sha256 VARCHAR NOT NULL,
    folder VARCHAR NOT NULL                  -- where it was ingested from, for its preview frames
);

CREATE TABLE metrics (
    run_id VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,
    unit VARCHAR NOT NULL,
    higher_is_better BOOLEAN NOT NULL,
    description VARCHAR NOT NULL,
    networks VARCHAR NOT NULL,               -- name@sha256[:8], joined by +, or 'pixels'
    signature VARCHAR NOT NULL,              -- values may be ranked together only if it is equal
    PRIMARY KEY (run_id, metric)
);

CREATE TABLE evaluators (
    run_id VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    licence VARCHAR NOT NULL,
    PRIMARY KEY (run_id, key)
);

CREATE TABLE samples (
    run_id VARCHAR NOT NULL,
    pair_id VARCHAR NOT NULL,
    clip_id VARCHAR,
    person VARCHAR NOT NULL,
    frame INTEGER,                           -- NULL: the whole pair
    metric VARCHAR NOT NULL,
    value DOUBLE,                            -- NULL unless status is ok
    status VARCHAR NOT NULL,                 -- ok | failed | missing
    error VARCHAR
);

CREATE TABLE scores (
    run_id VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    n_attempted BIGINT NOT NULL,
    n_ok BIGINT NOT NULL,
    n_failed BIGINT NOT NULL,
    n_missing BIGINT NOT NULL,
    n_persons BIGINT NOT NULL,
    mean DOUBLE,
    ci_low DOUBLE,
    ci_high DOUBLE,
    reason VARCHAR,                          -- why mean or interval is NULL
    failures VARCHAR,                        -- why samples failed or are missing, with counts
    PRIMARY KEY (run_id, metric)
);

CREATE TABLE previews (
    run_id VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,
    pair_id VARCHAR NOT NULL,
    source_clip VARCHAR NOT NULL,
    driving_clip VARCHAR NOT NULL,
    frames INTEGER[] NOT NULL,
    source VARCHAR NOT NULL,                 -- paths inside the run folder
    driving VARCHAR[] NOT NULL,
    output VARCHAR[] NOT NULL,
    PRIMARY KEY (run_id, ordinal)
);

-- The latest run of each model among those that answer the same question.
CREATE VIEW latest_runs AS
SELECT * FROM runs
QUALIFY row_number() OVER (
    PARTITION BY source, task, protocol, dataset, dataset_fingerprint, suite, pair_list_sha256, n_pairs, size,
                 frames_per_clip, kind, model, preset, weights_sha256
    ORDER BY created DESC, run_id DESC
) = 1;

CREATE VIEW standings AS
SELECT latest_runs.* EXCLUDE (record, record_sha256), metrics.* EXCLUDE (run_id), scores.* EXCLUDE (run_id, metric)
FROM latest_runs JOIN metrics USING (run_id) JOIN scores USING (run_id, metric);
