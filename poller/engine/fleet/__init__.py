"""Who reads which shard: a daemon alone, or one that shares the shards of its streams with others."""
