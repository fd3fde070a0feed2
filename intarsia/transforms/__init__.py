"""Joint transforms of inputs and targets, and the preprocessing that training and prediction share."""
