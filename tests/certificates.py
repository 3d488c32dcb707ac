"""An authority for tests, and servers that it vouches for."""

import ssl

import trustme

AUTHORITY_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

AUTHORITY = trustme.CA()


def serving_as(*names):
    """The TLS settings of a server whose certificate is for `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)
    return context


def bundle(folder):
    """A file in `folder` that holds the authority, as variables and `verify` take it."""
    path = folder / "authorities.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)
