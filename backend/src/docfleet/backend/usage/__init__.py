"""What runs cost: tokens and pages."""
