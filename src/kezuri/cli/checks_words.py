"""What docs/checks.md says before it lists the rules, in English and in Japanese."""
# ruff: noqa: E501

ENGLISH = """\
# Checks

This page is made from the rules themselves (`python -m kezuri.cli.checks_page > docs/checks.md`); tests compare it with them,
and try every example.

`kezuri check [PATH]...` reads Dockerfiles with what surrounds them (the build context, ignore files, lock files, Compose files,
workflows), and images, and says at the line what hurts and why. Nothing is built and no registry is asked: of base images it
knows those of the store; `--online` asks registries for the others. A directory means its Dockerfiles, `.dockerignore`, Compose
files and `.github/workflows`; `-` is a Dockerfile on standard input; what is no path is an image of the store.

Every `kezuri build` asks those 22 of the rules that BuildKit has, exactly as BuildKit does, and prints what they find in one line
each. `kezuri build --check` builds nothing and asks them about all stages; `--call=check,format=json` prints what docker prints.

## Levels

| level | meaning |
|---|---|
| error | the build, or what it makes, does not work or is not safe |
| warning | somebody will be hurt by it |
| info | worth knowing; often right all the same |
| style | a matter of taste, or a rule that costs more than it gives in most projects; counted, and printed as text only with `--level style` |
| ignore | asked only when it is named (`--rule`, `select`, a level of its own in the settings) |

The command ends with 1 (or `--exit-code N`) when a finding is of the level `--failure-threshold` (default warning) or above, with
`--no-fail` never: [exit-codes.md](exit-codes.md).

## Choosing

Wherever a rule is named, each of its names works, in any case: `AptListsKept`, `DL3009`, `DKL-DI-0005`; Trivy's as `DS-0002`,
`AVD-DS-0002` or `DS002`.

| where | what | holds for |
|---|---|---|
| Dockerfile | `# check=skip=A,B;error=true` as a directive in the first lines (BuildKit); `skip=all` | the file |
| Dockerfile | `# check=skip=A` above an instruction | the instruction |
| Dockerfile | `# hadolint ignore=A,B # why` in the line above an instruction | the instruction |
| Dockerfile | `# hadolint stage ignore=A` in the line above FROM | the stage |
| Dockerfile | `# hadolint global ignore=A` anywhere | the file |
| Dockerfile | `#trivy:ignore:A`, `#trivy:ignore:A:exp:2027-01-31` | the instruction; above FROM the stage, above the first one the file |
| Dockerfile | `# kezuri ignore=A, B why` above an instruction, or between its lines; `all` | the instruction |
| Dockerfile | `# kezuri stage ignore=A` above FROM or in the stage; `# kezuri global ignore=A` anywhere | the stage; the file |
| YAML, ignore files | `# kezuri ignore=A` at the end of a line, or above a key or an item | the line; the key or item with all below it |
| YAML, ignore files | `# kezuri global ignore=A` anywhere | the file |
| `.trivyignore`, `.dockleignore` | one name in a line, `#` before a comment, `exp:2027-01-31` behind a name | the project |
| `DOCKLE_IGNORES` | names with commas | the call |

A comment that names a rule which is not there is reported (`UnknownRuleName`), with the name that was probably meant.
`--disable-ignore-pragma` reports what comments silence.

What else is wanted is said by the first of these that says it; what is left out is left out by any of them:

1. the command line: `--rule`, `--ignore`, `--error`, `--warning`, `--info`, `--style`, `--failure-threshold`, `--format`, ...
   (`--rule` asks a rule whatever the files ignore)
2. hadolint's variables: `HADOLINT_IGNORE`, `HADOLINT_OVERRIDE_ERROR` (`_WARNING`, `_INFO`, `_STYLE`), `HADOLINT_FAILURE_THRESHOLD`,
   `HADOLINT_FORMAT`, `HADOLINT_NOFAIL`, `HADOLINT_TRUSTED_REGISTRIES`, `HADOLINT_REQUIRE_LABELS`, `HADOLINT_STRICT_LABELS`,
   `HADOLINT_DISABLE_IGNORE_PRAGMA`
3. the project's `kezuri.toml`: the nearest one from the checked file upwards to the root of its repository (where there is
   none, to the current directory, or else beside the file)
4. hadolint's file, the first of `./.hadolint.yaml` (or `.yml`), the same upwards from the file, `$XDG_CONFIG_HOME/hadolint.yaml`,
   `~/.hadolint/hadolint.yaml`, `~/.hadolint/config.yaml`, `~/.hadolint.yaml`; every key of it is read
5. `[check]` in the user's settings file, then in the system's ([configuration.md](configuration.md))

```toml
# kezuri.toml
[check]
ignore = ["DL3059", "CopyWithoutLink"]     # left out
select = ["DL1001"]                        # asked although its level is ignore
# rules = ["DL3009", "MissingUser"]        # only these
failure-threshold = "info"
format = "text"
no-fail = false
heed-comments = true                       # false: comments silence nothing
trusted-registries = ["docker.io", "*.example.com"]
required-labels = ["org.opencontainers.image.source"]
strict-labels = false                      # true: no labels but those of the schema
forbidden-instructions = ["ADD"]
forbidden-bases = ["*:latest", "centos*"]

[check.levels]
DL3008 = "warning"

[check.label-schema]
"org.opencontainers.image.version" = "semver"   # text, rfc3339, semver, url, hash, spdx, email
```

A key that is not known, or has a value of another form, is an error with file, line and key (exit code 2). A rule that is not
known is a warning there, and an error on the command line.

## Forms

| `--format` | what it is |
|---|---|
| text | each finding with its place, what to do and where to read more; the count at the end |
| json | an array of findings: `file`, `line`, `column`, `endLine`, `endColumn` (of the instruction, as hadolint has them), `span` (the part that is meant), `level`, `code` (hadolint's name, or ours), `rule`, `aliases`, `message`, `hint`, `url`, `fix` (with edits) |
| tty | hadolint's lines: `Dockerfile:3 DL3007 warning: ...` |
| sarif | SARIF 2.1.0 with rule help, fingerprints that last, and fixes |
| github | annotations of GitHub's workflows, errors first; they come by themselves behind the text where GITHUB_ACTIONS is `true` and no form is asked for, and a table goes into the summary of the step |
| gitlab | GitLab's code quality report (Code Climate) |
| junit, checkstyle | XML |
| gnu | `Dockerfile:3:6: warning: ... [LatestBaseImage (DL3007)]`, by which editors jump |
| markdown | a table, for a comment |

`--output FILE` writes them into a file. `--list` shows the rules (`--format json`: with all that is said of them), `--explain RULE`
the page of one.

With [pre-commit](https://pre-commit.com): the hooks `kezuri-check` and `kezuri-fix` of this repository's `.pre-commit-hooks.yaml`.

## Fixes

| class | what is proved before it is kept |
|---|---|
| A | text whose meaning is the same: the plans of both texts differ in nothing but what the rule declares; nothing is built |
| V | what changes the image on purpose: both are built, their files and configs compared, and, where the image runs, both are probed |
| D | needs data from elsewhere: the digest of a tag, the newest version |

`--fix` writes those of class A, `--fix=proved` all of them, and each is told with what was proved; `--diff` shows what would be
written, and writes nothing. A fix that does not stand its proof is not written, and the reason is shown at its place. Several fixes that
touch each other are made one after the other, over a text that is checked anew; a second run changes nothing. Files are replaced at once,
with their mode and owner; line endings and all other bytes stay (decisions 0056 and 0057).

`python -m tests.fixes.fixes_corpus --root STORE` tries every fix on the bad examples of the rules, the examples, the Dockerfiles that peers
build, too, and generated ones: each file is built as it was and as it became, apart from the proofs, and the two are compared. It said on
2026-11-28, with stand-ins for base images, on a machine that reaches no registry:

| | files | mended | fixes kept (A / V) | refused (A / V) | built before and after | broken |
|---|---|---|---|---|---|---|
| examples (`--fix=proved`) | 31 | 22 | 6 / 70 | 0 / 4 | 22 | 0 |
| bad examples of rules (`--fix=proved`) | 142 | 62 | 49 / 38 | 0 / 66 | 46 | 0 |
| generated, careless (`--fix`) | 30 | 30 | 137 / 0 | 0 / 0 | 25 | 0 |
| generated (`--fix`) | 60 | 36 | 55 / 0 | 1 / 0 | 36 | 0 |
| cases of the peers (`--fix`) | 41 | 10 | 13 / 0 | 0 / 0 | 10 | 0 |
"""

JAPANESE = """\
# 検査

このページは規則そのものから作られます(`python -m kezuri.cli.checks_page ja > docs/checks.ja.md`)。テストがページと規則を照合
し、すべての例を試します。

`kezuri check [PATH]...` は、Dockerfile をその周辺(ビルドコンテキスト、ignore ファイル、ロックファイル、Compose ファイル、ワーク
フロー)やイメージとともに読み、何がなぜ困るのかを、その行で伝えます。ビルドはせず、レジストリにも問い合わせません。ベースイメージ
はストアにあるものを調べ、ほかは `--online` でレジストリに問い合わせます。ディレクトリは、その中の Dockerfile、`.dockerignore`、
Compose ファイル、`.github/workflows` を意味します。`-` は標準入力の Dockerfile、パスでないものはストアのイメージです。

`kezuri build` は、BuildKit にある 22 の規則を BuildKit とまったく同じように調べ、指摘を一行ずつ表示します。`kezuri build --check`
は何もビルドせずに全ステージを調べ、`--call=check,format=json` は docker と同じ JSON を出力します。

## レベル

| レベル | 意味 |
|---|---|
| error | ビルドや、できたものが動かない、または安全でない |
| warning | いずれ誰かが困る |
| info | 知っておくとよい。そのままで正しいことも多い |
| style | 好みの問題、または多くのプロジェクトで得るものより負担が大きい規則。数えるだけで、テキストでは `--level style` のときだけ表示する |
| ignore | 名指ししたとき(`--rule`、`select`、設定でのレベル指定)だけ調べる |

`--failure-threshold`(既定 warning)以上の指摘があれば 1(または `--exit-code N`)で終了します。`--no-fail` なら常に 0 です。

## 選び方

規則を書く場所ではどこでも、どの別名でも、大文字小文字を問わず使えます(`AptListsKept`、`DL3009`、`DKL-DI-0005`)。Trivy の名前は
`DS-0002`、`AVD-DS-0002`、`DS002` のどれでも構いません。

| 場所 | 書き方 | 効く範囲 |
|---|---|---|
| Dockerfile | 先頭のディレクティブ `# check=skip=A,B;error=true`(BuildKit)、`skip=all` | ファイル |
| Dockerfile | 命令の上の `# check=skip=A` | その命令 |
| Dockerfile | 命令のすぐ上の行の `# hadolint ignore=A,B # 理由` | その命令 |
| Dockerfile | FROM のすぐ上の行の `# hadolint stage ignore=A` | そのステージ |
| Dockerfile | どこでも `# hadolint global ignore=A` | ファイル |
| Dockerfile | `#trivy:ignore:A`、`#trivy:ignore:A:exp:2027-01-31` | その命令。FROM の上ならステージ、最初の FROM の上ならファイル |
| Dockerfile | 命令の上か途中の `# kezuri ignore=A, B 理由`、`all` | その命令 |
| Dockerfile | FROM の上かステージの中の `# kezuri stage ignore=A`、どこでも `# kezuri global ignore=A` | ステージ、ファイル |
| YAML、ignore ファイル | 行末の `# kezuri ignore=A`、またはキーや項目の上 | その行、またはキーや項目とその下すべて |
| YAML、ignore ファイル | どこでも `# kezuri global ignore=A` | ファイル |
| `.trivyignore`、`.dockleignore` | 一行に一つの名前。`#` から後は注釈、名前の後に `exp:2027-01-31` | プロジェクト |
| `DOCKLE_IGNORES` | コンマ区切りの名前 | その呼び出し |

存在しない規則を書いたコメントは、近い名前とともに報告されます(`UnknownRuleName`)。`--disable-ignore-pragma` はコメントが抑えた
指摘も報告します。

そのほかの指定は、次のうち最初に述べたものが効きます。除外は、どこで述べても効きます。

1. コマンドライン(`--rule` はファイルが除いた規則でも調べる)
2. hadolint の変数 `HADOLINT_...`
3. プロジェクトの `kezuri.toml`: 検査するファイルからリポジトリの根まで上へ探した最も近いもの
4. hadolint のファイル: `./.hadolint.yaml`、ファイルから上、`$XDG_CONFIG_HOME/hadolint.yaml`、`~/.hadolint/`、`~/.hadolint.yaml`
5. 利用者の設定ファイルの `[check]`、次にシステムの設定ファイルの `[check]`

書き方の例は [英語のページ](checks.md#choosing) にあります。知らないキーや形の違う値は、ファイル、行、キーを示す誤りです(終了コード 2)。
知らない規則は、設定では警告、コマンドラインでは誤りです。

## 出力の形式

`--format` は text、json、tty(hadolint の行)、sarif、github、gitlab、junit、checkstyle、gnu、markdown です。GitHub Actions の中で形式を
指定しなければ、テキストの後に注釈が付き、ステップの要約に表が加わります。`--list` は規則の一覧、`--explain 規則` はその説明です。

## 修正

| 種別 | 残す前に証明すること |
|---|---|
| A | 意味の同じ書き換え: 二つの計画の違いが、規則の宣言した範囲だけであること。ビルドはしない |
| V | イメージを意図して変える: 両方をビルドし、ファイルと設定を比べ、動くものは動かして比べる |
| D | 外部のデータ(タグのダイジェスト、最新の版)が必要 |

`--fix` は種別 A を、`--fix=proved` はすべてを書き込み、それぞれについて何を証明したかを伝えます。`--diff` は書き込む内容を示すだけで、
何も書きません。証明できない修正は書き込まず、その場所に理由を示します。互いに触れ合う修正は、検査し直した文面に一つずつ適用します。
もう一度実行しても何も変わりません。ファイルは権限と所有者を保って一度に置き換え、改行コードもほかのバイトもそのままです
(decisions 0056、0057)。

`python -m tests.fixes.fixes_corpus --root ストア` は、規則の悪い例、examples、ほかのビルダーと比べる Dockerfile、生成した Dockerfile に
すべての修正を試し、証明とは別に前後をビルドして比べます。2026-11-28 に、代役のベースイメージで、レジストリに届かないマシンで得た結果:

| | ファイル | 修正した | 残した修正 (A / V) | 退けた修正 (A / V) | 前後をビルド | 壊れた |
|---|---|---|---|---|---|---|
| examples のもの (`--fix=proved`) | 31 | 22 | 6 / 70 | 0 / 4 | 22 | 0 |
| 規則の悪い例 (`--fix=proved`) | 142 | 62 | 49 / 38 | 0 / 66 | 46 | 0 |
| ぞんざいに書いたもの (`--fix`) | 30 | 30 | 137 / 0 | 0 / 0 | 25 | 0 |
| 生成したもの (`--fix`) | 60 | 36 | 55 / 0 | 1 / 0 | 36 | 0 |
| 比較用の Dockerfile (`--fix`) | 41 | 10 | 13 / 0 | 0 / 0 | 10 | 0 |
"""
