# One image for every role: `vestnik up` alone, or the roles of docker-compose.yml.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/vestnik
WORKDIR /src
# First what rarely changes, so that a change of the code does not download everything anew.
COPY requirements.lock ./
RUN /opt/vestnik/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY channels channels
COPY hub hub
COPY bots bots
COPY templates templates
RUN /opt/vestnik/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
# With a name and a home: the embedded PostgreSQL runs as an ordinary user who is known to the system.
RUN useradd --uid 10001 --create-home --home-dir /var/lib/vestnik vestnik
COPY --from=build /opt/vestnik /opt/vestnik
ENV PATH=/opt/vestnik/bin:$PATH \
    VESTNIK_DATA=/var/lib/vestnik/data \
    VESTNIK_LISTEN=0.0.0.0:8080
USER vestnik
WORKDIR /var/lib/vestnik
RUN mkdir data
VOLUME /var/lib/vestnik/data
EXPOSE 8080
# No HEALTHCHECK here: only the API has something to ask (see docker-compose.yml).
ENTRYPOINT ["vestnik"]
CMD ["up"]
