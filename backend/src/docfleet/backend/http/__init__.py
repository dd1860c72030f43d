"""HTTP: routes, authentication, errors, the OpenAPI document."""
