"""An operator's commands, which need the database and the cluster; a composition root."""
