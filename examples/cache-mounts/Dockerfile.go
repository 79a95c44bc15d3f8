FROM golang:1.23-alpine AS builder

WORKDIR /app
COPY go.mod go.sum ./

# Goモジュールキャッシュの永続化
RUN --mount=type=cache,target=/go/pkg/mod \
    go mod download

COPY . .

# ビルドキャッシュの永続化
RUN --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    CGO_ENABLED=0 go build -o /app/server ./cmd/server
