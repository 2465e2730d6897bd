# Sentinels' one image: the three functions, the outputs sidecar and the `sentinels` command.
#
#   docker build --tag sentinels .            or podman, with the same words
#   docker run --env FUNCTION=submit --env SENTINELS_DATABASE_URL=... sentinels
#
# BASE is any image with Python 3.11 or newer, pip and a shell. Packages come from pip's own index; from
# another with --build-arg PIP_INDEX_URL=ADDRESS, or without a network from a folder of wheels:
# --build-context wheels=FOLDER --build-arg PIP_NO_INDEX=1
ARG BASE=python:3.13-slim

FROM scratch AS wheels

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ENV PIP_FIND_LINKS=/wheels \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/functions.txt requirements/build.txt requirements/
# The bytecode is never checked against its source again: neither changes in an image.
RUN --mount=type=bind,from=wheels,target=/wheels \
    python3 -m venv --without-pip /opt/sentinels \
    && python3 -m pip --python /opt/sentinels/bin/python install --quiet --no-compile \
        --only-binary :all: --require-hashes --requirement requirements/functions.txt \
    && python3 -m pip install --quiet --target tools \
        --only-binary :all: --require-hashes --requirement requirements/build.txt \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/sentinels/lib
COPY pyproject.toml README.md LICENSE ./
COPY examples examples
COPY src src
RUN PYTHONPATH=tools python3 -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /dist .

FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Sentinels" \
    org.opencontainers.image.description="A team's queue for machine-learning experiments: functions, outputs sidecar, command" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.licenses="Apache-2.0"
ENV PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/sentinels /opt/sentinels
# A layer of its own: a new version of Sentinels is a small pull.
RUN --mount=type=bind,from=build,source=/dist,target=/dist \
    python3 -m pip --python /opt/sentinels/bin/python install --quiet --root-user-action ignore \
        --no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check /dist/*.whl \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/sentinels/lib/*/site-packages/sentinels
# Threads are counted from the node's cores otherwise, of which a container has few.
ENV PATH=/opt/sentinels/bin:${PATH} \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    THREADS=16 \
    PORT=8080
USER 65532:65532
EXPOSE 8080
WORKDIR /
CMD ["python", "-P", "-m", "sentinels.functions"]
