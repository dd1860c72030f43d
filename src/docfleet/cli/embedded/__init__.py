"""The system on a laptop: processes, embedded Valkey, data folder."""
