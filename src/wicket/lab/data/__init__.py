"""Training data as pure steps over (manifest, shard): sources, curation, augmentation, mixtures."""
