from wicket.supervisor.environment import for_child


def test_secrets_stay_behind() -> None:
    given = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "SSL_CERT_FILE": "/ca.pem",
        "OPENAI_API_KEY": "sk-x",
        "WICKET_ADMIN_KEY": "x" * 20,
        "HF_TOKEN": "x",
        "db_password": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "TOKENIZERS_PARALLELISM": "false",
    }
    kept = for_child(given)
    assert set(kept) == {"PATH", "HTTPS_PROXY", "SSL_CERT_FILE", "TOKENIZERS_PARALLELISM", "PYTHONUNBUFFERED"}
