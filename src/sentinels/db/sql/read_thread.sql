-- A sweep's thread with a recipient.
SELECT place, ts FROM threads WHERE sweep_id = :sweep_id AND address = :address
