"""One module per platform: leaves that know no database and nothing of the hub but what a source is."""
