"""What runs the service in production."""
