"""The only outbound HTTP: pool, TLS, proxies, DNS, response streams; and the scriptable upstream."""
