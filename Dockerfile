# The gateway in a small image: the same pinned lock with hashes as everywhere, no root, a health check.
# The commands of both stages are replayed by tests/integration/test_image.py (nightly), in an empty root.
FROM debian:12-slim AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/lienthong
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY mappings mappings
COPY connectors connectors
COPY signing signing
COPY conformance conformance
RUN python3 -m venv .venv \
    && .venv/bin/python -m pip install -q --disable-pip-version-check --no-cache-dir --require-hashes -r requirements.lock \
    && .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e . \
    && .venv/bin/python -m compileall -q gateway mappings connectors signing conformance

FROM debian:12-slim
# Pango and a serif font with Vietnamese letters are for PDF alone.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-liberation2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/lienthong --create-home lienthong
COPY --from=build /opt/lienthong /opt/lienthong
ENV PATH=/opt/lienthong/.venv/bin:$PATH LIENTHONG_CONFIG=/etc/lienthong PYTHONUNBUFFERED=1
USER lienthong
VOLUME ["/etc/lienthong", "/var/lib/lienthong"]
EXPOSE 2575 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/health', timeout=4)"]
CMD ["lienthong", "serve"]
