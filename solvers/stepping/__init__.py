"""Time steppers: from a state to the state a time step later, many samples at once, numpy or torch."""
