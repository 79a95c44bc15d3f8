"""Rules about images of Ruby, PHP and for GPUs: what they must not say."""

import pytest
from tests.check.check_dockerfiles import examine

from kezuri.check.rules import gpu, php, ruby, ruby_runtime

RULES = (*gpu.RULES, *php.RULES, *ruby.RULES, *ruby_runtime.RULES)
RAILS = "FROM ruby:3.3-slim\nENV RAILS_ENV=production BUNDLE_DEPLOYMENT=1 RUBY_YJIT_ENABLE=1\n"
CUDA = "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\n"


def names(text: str, files: dict[str, str] | None = None) -> list[str]:
    return examine(text, rules=RULES, files=files).names


@pytest.mark.parametrize(
    "text",
    [
        "FROM composer:2 AS v\nRUN composer install --no-dev\nFROM php:8.5-apache\nCOPY --from=v /app/vendor /vendor\n",
        "FROM php:8.4-cli\nENV COMPOSER_NO_DEV=1\nRUN composer install\n",
        "FROM php:8.4-cli\nRUN composer install $COMPOSER_FLAGS\n",
        "FROM php:8.4-cli AS dev\nRUN composer install && pecl install xdebug\n",
        "FROM php:8.4-cli AS app\nFROM app AS test\nRUN composer install\nFROM app\n",
        'FROM php:8.4-cli\nRUN if [ "$APP_ENV" = dev ]; then pecl install xdebug; fi\n',
        "FROM php:8.3-fpm\nCOPY docker/opcache.ini /usr/local/etc/php/conf.d/\n",
        "FROM php:8.3-cli\nCOPY . .\n",
        "FROM php:fpm\nCOPY . .\n",
        "FROM serversideup/php:8.3-fpm\nCOPY . .\n",
        f"{RAILS}ENV BUNDLE_WITHOUT=development\nRUN bundle install\n",
        f"{RAILS}RUN bundle config set --local without development && bundle install\n",
        f"{RAILS}ENV BUNDLE_ONLY=production\nRUN bundle install\n",
        "FROM ruby:3.3\nRUN bundle install\n",
        f"{RAILS}RUN SECRET_KEY_BASE_DUMMY=1 bin/rails assets:precompile\n",
        f"{RAILS}RUN --mount=type=secret,id=k,env=RAILS_MASTER_KEY bin/rails assets:precompile\n",
        f"{RAILS}RUN bundle exec bootsnap precompile -j1 app/\n",
        f"{RAILS}RUN apt-get install -y libjemalloc2\nENTRYPOINT [\"/rails/bin/docker-entrypoint\"]\n",
        "FROM debian:12\nRUN apt-get install -y libjemalloc2\n",
        "FROM ruby:3.2\nCMD [\"bin/rails\", \"server\"]\n",
        "FROM ruby:3.3\nRUN gem install bundler -v 2.5.1\n",
        "FROM ruby:3.3\nRUN gem install bundler:2.5.1\n",
        "FROM alpine:3.20\nRUN gem install bundler\n",
        f"{CUDA}RUN pip install torch==2.4.0+cu121\n",
        f"{CUDA}RUN nvidia-smi || true\n",
        f"{CUDA}RUN if true; then nvidia-smi; fi\n",
        f"{CUDA}ENV NVIDIA_VISIBLE_DEVICES=all CUDA_VISIBLE_DEVICES=\"\" NVIDIA_DRIVER_CAPABILITIES=compute,utility\n",
        f"{CUDA}ARG D=0\nENV CUDA_VISIBLE_DEVICES=$D\n",
        f"{CUDA}RUN apt-get install -y cuda-toolkit-12-4 libcudnn9-cuda-12\n",
        "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04 AS b\nRUN nvcc x.cu\nFROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\n",
        "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip install deepspeed\n",
        "FROM nvidia/cuda:${V}-devel\nRUN pip install x --index-url https://download.pytorch.org/whl/cu118\n",
        "FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install x+cu118\n",
        "ARG X\nFROM $X\nRUN bundle install && composer install --no-dev\n",
        "FROM scratch\n",
    ],
)  # fmt: skip
def test_what_is_right_is_not_blamed(text: str) -> None:
    assert names(text) == []


def test_the_project_decides() -> None:
    production = "FROM php:8.4-cli\nENV APP_ENV=prod\nRUN composer install\n"
    assert names(production) == ["ComposerDevelopmentPackages"]
    assert names(production, {"composer.json": '{"require": {}}'}) == []
    assert names(production, {"composer.json": '{"require-dev": {"x/y": "1"}}'}) == ["ComposerDevelopmentPackages"]
    gems = f"{RAILS}RUN bundle install\n"
    assert names(gems) == ["BundlerDevelopmentGems"]
    assert names(gems, {"Gemfile": 'gem "rails"\n'}) == []
    assert names(gems, {"Gemfile": "group :development, :test do\nend\n"}) == ["BundlerDevelopmentGems"]
    server = 'FROM ruby:3.3\nCMD ["bin/rails", "server"]\n'
    assert names(server) == ["YjitNotEnabled"]
    assert names(server, {"Gemfile.lock": "GEM\n  specs:\n    rails (8.0.1)\n"}) == []


def test_levels_follow_from_what_the_file_says() -> None:
    (finding,) = examine("FROM php:8.4-cli\nRUN composer install\n", rules=RULES).findings
    assert finding.level == "info"
    (finding,) = examine("FROM php:8.4-cli AS production\nRUN composer install\n", rules=RULES).findings
    assert finding.level == "warning"
