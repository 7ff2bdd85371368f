"""What a saga can be rendered for: one module per target, each with `artifacts(design, scenarios)`."""
