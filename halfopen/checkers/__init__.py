"""Engines that can say no. They know no saga: a capability brings the model."""
