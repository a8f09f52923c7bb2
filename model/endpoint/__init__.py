"""The SageMaker endpoint."""
