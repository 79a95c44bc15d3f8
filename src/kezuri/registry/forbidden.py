"""What to do when a registry does not let us in: it depends on who asked, for what, and on whose registry it is."""

from kezuri.oci.reference import HUB
from kezuri.registry.origin import split_host
from kezuri.registry.server import Server


def advice(pushed: bool, host: str, account: str) -> str:
    """The hint for a request of a push or a pull that was refused. `account` is where the credentials for it were
    found; empty: it had none."""
    server = Server.of(host).host
    command = "kezuri login" + ("" if server == HUB else f" {server}")
    name = split_host(server)[0]
    if not account:
        if pushed:
            return f"nobody is logged in there: `{command}`"
        return f"either the name has a typo or the repository is private: `{command}`"
    known = f"the credentials are those in {account}"
    if name == "ghcr.io":
        right = "write:packages" if pushed else "read:packages"
        action = "write" if pushed else "read"
        return f"{known}: the token needs {right} (in GitHub Actions: permissions: packages: {action})"
    if name.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return (
            f"{known}; those of ECR hold for twelve hours: `aws ecr get-login-password | "
            f"{command} -u AWS --password-stdin`"
        )
    if name == "gcr.io" or name.endswith((".gcr.io", ".pkg.dev")):
        return f"{known}; `gcloud auth configure-docker {server}` has fresh ones made for each request"
    if name.endswith(".azurecr.io"):
        return f"{known}; those of az acr login hold for three hours: `az acr login -n {name.partition('.')[0]}`"
    if server == HUB and pushed:
        return f"{known}: an image is pushed to docker.io/YOUR-NAME/…, with an access token that may write"
    if pushed:
        return f"{known}: may they push there? another account: `{command} -u NAME`"
    return f"{known}: either the name has a typo or they may not pull it; another account: `{command} -u NAME`"
