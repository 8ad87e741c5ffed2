-- How failed frames count: the mean without them, the mean with their penalty, and which of the two is the score.

ALTER TABLE runs ADD COLUMN failed_frames VARCHAR DEFAULT 'drop';     -- drop | penalise
ALTER TABLE metrics ADD COLUMN penalty DOUBLE;                   -- what a failed frame counts as; NULL: no such value
ALTER TABLE scores ADD COLUMN dropped DOUBLE;
ALTER TABLE scores ADD COLUMN penalised DOUBLE;
UPDATE scores SET dropped = mean, penalised = CASE WHEN n_failed = 0 THEN mean END;

-- A view keeps the columns that its tables had when it was made.
CREATE OR REPLACE VIEW latest_runs AS
SELECT * FROM runs
QUALIFY row_number() OVER (
    PARTITION BY source, task, protocol, dataset, dataset_fingerprint, suite, pair_list_sha256, n_pairs, size,
                 frames_per_clip, shots, failed_frames, kind, model, preset, weights_sha256
    ORDER BY created DESC, run_id DESC
) = 1;

CREATE OR REPLACE VIEW standings AS
SELECT latest_runs.* EXCLUDE (record, record_sha256), metrics.* EXCLUDE (run_id), scores.* EXCLUDE (run_id, metric)
FROM latest_runs JOIN metrics USING (run_id) JOIN scores USING (run_id, metric);
