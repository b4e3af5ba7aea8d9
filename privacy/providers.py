"""Tokens of providers, written from the formats they document. None of them is ever tried out."""

from __future__ import annotations

from privacy import checks
from privacy.finders import Check, by_pattern
from privacy.kind import Confidence, Kind


def _token(name: str, anchors: str, pattern: bytes, source: str, check: Check = checks.genuine) -> Kind:
    """A provider's token: its pattern stands alone, neither preceded nor followed by a word character."""
    whole = rb"(?<![A-Za-z0-9_])(" + pattern + rb")(?![A-Za-z0-9_])"
    exact = check in {checks.base62_checksum, checks.bech32_checksum, checks.hex_checksum}
    confidence: Confidence = "checksum" if exact else "format"
    words = tuple(anchors.split())
    return Kind(name, "secret", "<KEY>", confidence, source, words, by_pattern(whole, check))


_PLAIN = (
    _token(
        "aws_access_key_id",
        "AKIA ASIA ABIA ACCA",
        rb"A(?:KI|SI|BI|CC)A[A-Z2-7]{16}",
        "AWS IAM User Guide, IAM identifiers: unique identifiers",
    ),
    _token(
        "github_token",
        "ghp_ gho_ ghu_ ghs_ ghr_",
        rb"gh[pousr]_[A-Za-z0-9]{36}",
        "GitHub blog, 5 April 2021: authentication token formats",
        checks.base62_checksum,
    ),
    _token(
        "github_fine_grained_token",
        "github_pat_",
        rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "GitHub Docs, About authentication to GitHub: token formats",
    ),
    _token(
        "gitlab_token",
        "glpat- glrt- gldt- glptt- glcbt- glsoat- glft- glimt- glagent- gloas-",
        rb"gl(?:pat|rt|dt|ptt|cbt|soat|ft|imt|agent|oas)-(?:[0-9a-zA-Z_]{1,3}[_-])?[0-9a-zA-Z_\-]{20,64}(?:\.[0-9a-z]{2}\.?[0-9a-z]{7,9})?",
        "GitLab Docs, Token overview: token prefixes",
    ),
    _token(
        "slack_token",
        "xoxb- xoxp- xoxa- xoxr- xoxs- xoxe xapp-",
        rb"(?:xox[bpars]-(?:\d{1,14}-){1,3}[A-Za-z0-9\-]{16,64}|xox[bpars]-[A-Za-z0-9\-]{24,80}|xoxe(?:\.xox[bp])?-\d-[A-Za-z0-9]{100,200}|xapp-\d-[A-Z0-9]{8,14}-\d{8,15}-[a-f0-9]{64})",
        "Slack API docs, Token types",
    ),
    _token(
        "slack_webhook",
        "hooks.slack.com/",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]{8,14}/[A-Z0-9]{8,20}/[A-Za-z0-9]{20,48}",
        "Slack API docs, Sending messages using incoming webhooks",
    ),
    _token(
        "stripe_key",
        "sk_live_ sk_test_ rk_live_ rk_test_ whsec_",
        rb"(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}|whsec_[A-Za-z0-9+/]{32,64})",
        "Stripe Docs, API keys",
    ),
    _token("google_api_key", "AIza", rb"AIza[A-Za-z0-9_\-]{35}", "Google Cloud Docs, Manage API keys"),
    _token(
        "google_oauth_secret",
        "GOCSPX-",
        rb"GOCSPX-[A-Za-z0-9_\-]{28}",
        "Google Identity Docs, OAuth 2.0 client secrets",
    ),
    _token(
        "anthropic_key",
        "sk-ant-",
        rb"sk-ant-[a-z]{3,6}\d{2}-[A-Za-z0-9_\-]{80,120}",
        "Anthropic API docs, Authentication",
    ),
    _token("huggingface_token", "hf_", rb"hf_[A-Za-z]{34}", "Hugging Face Hub docs, User access tokens"),
    _token(
        "npm_token",
        "npm_",
        rb"npm_[A-Za-z0-9]{36}",
        "GitHub blog, 23 September 2021: npm's new access token format",
        checks.base62_checksum,
    ),
    _token(
        "pypi_token",
        "pypi-AgE",
        rb"pypi-AgE[A-Za-z0-9_\-]{60,400}",
        "PyPI help, API tokens (macaroons, base64)",
    ),
    _token("rubygems_key", "rubygems_", rb"rubygems_[a-f0-9]{48}", "RubyGems guides, API key scopes"),
    _token(
        "sendgrid_key",
        "SG.",
        rb"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}",
        "Twilio SendGrid docs, API keys",
    ),
    _token("twilio_key", "SK", rb"SK[0-9a-f]{32}", "Twilio docs, API keys"),
    _token("mailgun_key", "key-", rb"key-[0-9a-f]{32}", "Mailgun docs, Authentication"),
    _token(
        "discord_webhook",
        "api/webhooks/",
        rb"api/webhooks/\d{17,20}/[A-Za-z0-9_\-]{60,80}",
        "Discord developer docs, Webhook resource",
    ),
    _token(
        "age_secret_key",
        "AGE-SECRET-KEY-1",
        rb"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        "age file encryption, version 1 (C2SP specification)",
        checks.bech32_checksum,
    ),
    _token(
        "json_web_token",
        "eyJ",
        rb"eyJ[A-Za-z0-9_\-]{8,256}\.eyJ[A-Za-z0-9_\-]{8,2048}\.[A-Za-z0-9_\-]{16,700}",
        "RFC 7519",
        checks.json_web_token,
    ),
    _token(
        "azure_storage_key",
        "AccountKey=",
        rb"AccountKey=[A-Za-z0-9+/]{86}==",
        "Microsoft Learn, Configure Azure Storage connection strings",
    ),
    _token(
        "digitalocean_token",
        "dop_v1_ doo_v1_ dor_v1_",
        rb"do[por]_v1_[a-f0-9]{64}",
        "DigitalOcean docs, Personal access tokens",
    ),
    _token(
        "shopify_token",
        "shpat_ shpca_ shppa_ shpss_",
        rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        "Shopify developer changelog: access token prefixes",
    ),
    _token(
        "square_token",
        "sq0atp- sq0csp- EAAA",
        rb"(?:sq0(?:atp|csp)-[A-Za-z0-9_\-]{22,43}|EAAA[A-Za-z0-9_\-]{60})",
        "Square developer docs, Access tokens",
    ),
    _token(
        "databricks_token",
        "dapi",
        rb"dapi[a-f0-9]{32}(?:-\d)?",
        "Databricks docs, Personal access token authentication",
    ),
    _token(
        "grafana_token",
        "glsa_",
        rb"glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}",
        "Grafana source, satokengen",
        checks.hex_checksum,
    ),
    _token("postman_key", "PMAK-", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", "Postman docs, API keys"),
    _token("linear_key", "lin_api_", rb"lin_api_[A-Za-z0-9]{40}", "Linear developer docs, Authentication"),
    _token("newrelic_key", "NRAK-", rb"NRAK-[A-Z0-9]{27}", "New Relic docs, API keys"),
    _token("docker_token", "dckr_pat_", rb"dckr_pat_[A-Za-z0-9_\-]{27}", "Docker docs, Access tokens"),
    _token(
        "vault_token",
        "hvs. hvb.",
        rb"hv[sb]\.[A-Za-z0-9_\-]{24,250}",
        "HashiCorp Vault docs, Tokens: token prefixes",
    ),
    _token("pulumi_token", "pul-", rb"pul-[a-f0-9]{40}", "Pulumi docs, Access tokens"),
)


def _sized(name: str, anchors: str, back: str, pattern: bytes, source: str, gate: str = "") -> Kind:
    """A provider's token whose anchor lies inside it."""
    found = by_pattern(rb"(?<![A-Za-z0-9_])[._\-]{0,8}(" + pattern + rb")(?![A-Za-z0-9_])")
    return Kind(
        name, "secret", "<KEY>", "format", source, tuple(anchors.split()), found, back=back, gate=gate
    )


_INNER = (
    _sized(
        "openai_key",
        "T3BlbkFJ",
        "long",
        rb"sk-(?:[a-z]{4,8}-)?[A-Za-z0-9_\-]{16,100}T3BlbkFJ[A-Za-z0-9_\-]{16,100}",
        "OpenAI API reference, Authentication",
    ),
    _sized(
        "telegram_token",
        ":AA",
        "digits",
        rb"\d{8,10}:AA[A-Za-z0-9_\-]{33}",
        "Telegram Bot API, Authorizing your bot",
    ),
    _sized(
        "discord_token",
        "?dot",
        "word",
        rb"[MNO][A-Za-z0-9_\-]{22,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40}",
        "Discord developer docs, Reference: authentication",
        "discord",
    ),
    _sized(
        "mailchimp_key",
        "-us",
        "word",
        rb"[0-9a-f]{32}-us\d{1,2}",
        "Mailchimp Marketing API docs, Fundamentals",
    ),
    _sized(
        "azure_client_secret",
        "Q~",
        "word",
        rb"[A-Za-z0-9_~.\-]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}",
        "Microsoft Entra docs, Application credentials",
    ),
)

PROVIDERS = (*_PLAIN, *_INNER)
