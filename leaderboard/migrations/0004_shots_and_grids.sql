-- How many source images models were given, and the pictures of all angles that redirection leaves.

ALTER TABLE runs ADD COLUMN shots INTEGER DEFAULT 1;
ALTER TABLE previews ADD COLUMN grid VARCHAR DEFAULT '';  -- path inside the run folder; '': none

-- A view keeps the columns that its tables had when it was made.
CREATE OR REPLACE VIEW latest_runs AS
SELECT * FROM runs
QUALIFY row_number() OVER (
    PARTITION BY source, task, protocol, dataset, dataset_fingerprint, suite, pair_list_sha256, n_pairs, size,
                 frames_per_clip, shots, kind, model, preset, weights_sha256
    ORDER BY created DESC, run_id DESC
) = 1;

CREATE OR REPLACE VIEW standings AS
SELECT latest_runs.* EXCLUDE (record, record_sha256), metrics.* EXCLUDE (run_id), scores.* EXCLUDE (run_id, metric)
FROM latest_runs JOIN metrics USING (run_id) JOIN scores USING (run_id, metric);
