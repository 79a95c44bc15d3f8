"""The groups of artifacts of Maven whose archives do not tell them, by the artifacts' names: Gradle and Ant put no
pom.properties into what they make."""

from typing import Final

_NAMES: Final = {
    "ant": "org.apache.ant",
    "ant-launcher": "org.apache.ant",
    "antlr": "antlr",
    "asm": "org.ow2.asm",
    "commons-beanutils": "commons-beanutils",
    "commons-collections": "commons-collections",
    "commons-fileupload": "commons-fileupload",
    "dom4j": "org.dom4j",
    "h2": "com.h2database",
    "hibernate-core": "org.hibernate",
    "hsqldb": "org.hsqldb",
    "javassist": "org.javassist",
    "jdom": "org.jdom",
    "jython": "org.python",
    "jython-standalone": "org.python",
    "junit": "junit",
    "log4j": "log4j",
    "mysql-connector-java": "mysql",
    "mysql-connector-j": "com.mysql",
    "okhttp": "com.squareup.okhttp3",
    "okio": "com.squareup.okio",
    "okio-jvm": "com.squareup.okio",
    "ojdbc8": "com.oracle.database.jdbc",
    "postgresql": "org.postgresql",
    "protobuf-java": "com.google.protobuf",
    "reactor-core": "io.projectreactor",
    "rhino": "org.mozilla",
    "rxjava": "io.reactivex.rxjava3",
    "scala-compiler": "org.scala-lang",
    "scala-library": "org.scala-lang",
    "scala-reflect": "org.scala-lang",
    "scalap": "org.scala-lang",
    "spring-boot": "org.springframework.boot",
    "spring-data-commons": "org.springframework.data",
    "struts2-core": "org.apache.struts",
    "tomcat-embed-core": "org.apache.tomcat.embed",
    "tomcat-embed-el": "org.apache.tomcat.embed",
    "tomcat-embed-websocket": "org.apache.tomcat.embed",
    "velocity": "org.apache.velocity",
    "xalan": "xalan",
    "xercesImpl": "xerces",
    "xml-apis": "xml-apis",
    "xmlgraphics-commons": "org.apache.xmlgraphics",
    "xstream": "com.thoughtworks.xstream",
}
_STARTS: Final = (
    ("asm-", "org.ow2.asm"),
    ("bcpkix-", "org.bouncycastle"),
    ("bcprov-", "org.bouncycastle"),
    ("elasticsearch-", "org.elasticsearch"),
    ("graphql-java", "com.graphql-java"),
    ("hazelcast", "com.hazelcast"),
    ("kafka", "org.apache.kafka"),
    ("kotlin-", "org.jetbrains.kotlin"),
    ("kotlinx-", "org.jetbrains.kotlinx"),
    ("lucene-", "org.apache.lucene"),
    ("micrometer-", "io.micrometer"),
    ("reactor-netty", "io.projectreactor.netty"),
    ("spring-boot-", "org.springframework.boot"),
    ("spring-cloud-", "org.springframework.cloud"),
    ("spring-data-", "org.springframework.data"),
    ("spring-integration-", "org.springframework.integration"),
    ("spring-kafka", "org.springframework.kafka"),
    ("spring-security-", "org.springframework.security"),
    ("spring-session-", "org.springframework.session"),
    ("spring-webflow", "org.springframework.webflow"),
)
_SPRING: Final = frozenset(
    f"spring-{name}"
    for name in (
        "aop", "aspects", "beans", "context", "context-indexer", "context-support", "core", "expression", "instrument",
        "jcl", "jdbc", "jms", "messaging", "orm", "oxm", "r2dbc", "test", "tx", "web", "webflux", "webmvc", "websocket",
    )
)  # fmt: skip


def group_of(name: str, version: str = "") -> str:
    """The group of an artifact; empty where it is not known."""
    if name in _SPRING:
        return "org.springframework"
    if name == "groovy" or name.startswith("groovy-"):
        return (
            "org.apache.groovy"
            if version[:1].isdigit() and int(version.partition(".")[0] or 0) >= 4
            else "org.codehaus.groovy"
        )
    if name in _NAMES:
        return _NAMES[name]
    return next((group for start, group in _STARTS if name.startswith(start)), "")
