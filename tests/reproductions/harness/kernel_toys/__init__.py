"""A technique with kernels, for the tests of compiler and interpreter."""
