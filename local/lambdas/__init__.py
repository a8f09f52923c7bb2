"""The embedded Lambda: unmodified handlers in processes of Lambda's own runtime client."""
