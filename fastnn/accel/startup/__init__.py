"""The folder that accel puts on PYTHONPATH, so that each child process runs sitecustomize.py when it starts."""
