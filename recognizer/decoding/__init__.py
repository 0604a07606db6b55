"""The fast search for ESPnet2's CTC/attention models: exported networks, numba kernels, no torch in the worker."""
