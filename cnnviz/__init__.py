"""cnnviz"""
