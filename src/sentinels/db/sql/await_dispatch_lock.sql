-- Be alone with the lanes: no pass admits until this transaction ends.
SELECT name FROM locks WHERE name = 'dispatch' FOR UPDATE
