"""The same moves by other means: what people would use otherwise, as the means' own docs recommend it."""
