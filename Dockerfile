# docker build -t wicket . && docker run -p 127.0.0.1:4242:4242 -v wicket-data:/data wicket
FROM python:3.12-slim

RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin wicket \
    && install -d -o wicket -g wicket -m 0700 /data

WORKDIR /opt/wicket
# The locked packages first: they change seldom, so their layer is kept.
COPY requirements/serve.txt requirements/serve.txt
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --no-deps -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

USER wicket
ENV WICKET_HOME=/data WICKET_HOST=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 4242
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4242/healthz', timeout=4)"]
# A configuration goes to /data/wicket.toml. WICKET_ADMIN_KEY keeps the key out of the log.
ENTRYPOINT ["wicket"]
CMD ["serve"]
