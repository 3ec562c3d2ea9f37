"""Tests: a mirror of cnnviz, the browser, and the house itself."""
