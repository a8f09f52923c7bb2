"""The embedded AWS: template.yaml deployed and run on this machine."""
