"""Values of the internal API that are kept in Redis for a while."""
