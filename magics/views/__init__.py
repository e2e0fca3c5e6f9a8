"""What the views of all tools share."""
