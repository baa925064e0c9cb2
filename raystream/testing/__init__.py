"""What tests of a pipeline, and of raystream itself, are made with."""
