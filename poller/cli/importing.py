"""`poller import`: turns the mappings of another tool into a configuration.

Each command reads one tool's file, or asks Lambda. What could not be imported is reported line by line on stderr, with
its place, and stands as a comment in the file that is written.
"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poller.cli.configured import ConfigPaths, examples, loaded
from poller.configuration import Need
from poller.support.printable import say
from poller.values.errors import ConfigurationError, EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from poller.importers.draft import Findings
    from poller.importers.given import Given

app = typer.Typer(help="Take over mappings of other tools.", no_args_is_help=True)

INCOMPLETE = 1
"""Exit code when something is left to do: a value to fill in, or a part that was not imported."""

Template = Annotated[Path, typer.Argument(metavar="TEMPLATE", help="YAML or JSON.")]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write a new file. Default: standard output.")
]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameter", metavar="NAME=VALUE", help="Value of a parameter; repeatable.")
]
Region = Annotated[str | None, typer.Option("--region", help="The region of the stack.")]
Account = Annotated[str | None, typer.Option("--account", help="The account of the stack.")]
Stack = Annotated[str | None, typer.Option("--stack", help="The name of the stack.")]
RunHere = Annotated[
    bool, typer.Option("--run-here", help="Also run the functions' code here, where it is a local folder.")
]


@app.command(epilog=examples("import cloudformation template.yaml --region eu-west-1"))
def cloudformation(
    template: Template,
    *,
    parameter: Parameters = None,
    region: Region = None,
    account: Account = None,
    stack: Stack = None,
    run_here: RunHere = False,
    output: Output = None,
) -> None:
    """Import the mappings of a CloudFormation template.

    A template that `cdk synth` has written is fine too. Exit 1 if something is left to do.
    """
    _template("cloudformation", template, _given(parameter, region, account, stack, run_here=run_here), output)


@app.command(epilog=examples("import sam template.yaml --parameter Stage=prod --output poller.yaml"))
def sam(
    template: Template,
    *,
    parameter: Parameters = None,
    region: Region = None,
    account: Account = None,
    stack: Stack = None,
    run_here: RunHere = False,
    output: Output = None,
) -> None:
    """Import the mappings of a SAM template.

    Events of types SQS, Kinesis and DynamoDB, and queues behind a topic. Exit 1 if something is left to do.
    """
    _template("sam", template, _given(parameter, region, account, stack, run_here=run_here), output)


@app.command(epilog=examples("import serverless serverless.yml --stage prod"))
def serverless(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file serverless.yml.")],
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME=VALUE", help="Value of an opt, param or env variable; repeatable."),
    ] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="The stage. Default: the file's, or dev.")] = None,
    region: Region = None,
    account: Account = None,
    output: Output = None,
) -> None:
    """Import the mappings of the Serverless Framework.

    Events of types sqs and stream, and mappings in its resources. Exit 1 if something is left to do.
    """
    from poller.importers.serverless.importer import read  # noqa: PLC0415

    given = _given(parameter, region, account, stage, run_here=False)
    _show(lambda: read(file, given), f"poller import serverless {shlex.quote(str(file))}", output)


@app.command(epilog=examples("import terraform plan.json", "import terraform state.json --output poller.yaml"))
def terraform(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `terraform show -json` prints.")],
    *,
    region: Region = None,
    account: Account = None,
    output: Output = None,
) -> None:
    """Import the mappings of a Terraform plan or state.

    Exit 1 if something is left to do.
    """
    from poller.importers.terraform import read  # noqa: PLC0415

    given = _given(None, region, account, None, run_here=False)
    _show(lambda: read(file, given), f"poller import terraform {shlex.quote(str(file))}", output)


@app.command("lambda", epilog=examples("import lambda --region eu-west-1 --output poller.yaml"))
def live(
    *,
    region: Annotated[str, typer.Option("--region", help="The region to ask.")],
    function: Annotated[str | None, typer.Option("--function", help="Name or ARN; default all functions.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="A profile of the SDK's configuration.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option("--endpoint-url", help="Any endpoint that speaks the Lambda API.")
    ] = None,
    output: Output = None,
) -> None:
    """Import the mappings that Lambda has now.

    Needs lambda:ListEventSourceMappings and lambda:ListTags. Exit 1 if something is left to do.
    """
    import asyncio  # noqa: PLC0415

    from poller.configuration.model.aws import AwsSettings  # noqa: PLC0415
    from poller.importers.live import read  # noqa: PLC0415

    try:
        aws = AwsSettings(region=region, profile=profile, endpoint_url=endpoint_url)
    except ValueError:
        raise ConfigurationError(
            [f"--endpoint-url {endpoint_url}: must be a URL such as http://127.0.0.1:4566"]
        ) from None
    _show(lambda: asyncio.run(read(region, aws, function)), f"poller import lambda --region {region}", output)


@app.command(epilog=examples("import kcl clicks --mapping clicks", "import kcl clicks --mapping clicks --dry-run"))
def kcl(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The lease table: the name of the application.")],
    *,
    mapping: Annotated[str, typer.Option("--mapping", metavar="NAME", help="The mapping that is to go on from there.")],
    config: ConfigPaths = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be stored.")] = False,
) -> None:
    """Take over the positions of the Kinesis Client Library.

    Reads its lease table, for half a minute, and stores the positions for a mapping that has none. No worker of KCL and
    no daemon may be running. Needs dynamodb:Scan, kinesis:DescribeStreamSummary and kinesis:ListShards.
    """
    import asyncio  # noqa: PLC0415

    from poller.cli.kcl import take  # noqa: PLC0415

    asyncio.run(take(loaded(config, Need.MAPPINGS), mapping, table, dry_run=dry_run))


def _template(name: str, path: Path, given: "Given", output: Path | None) -> None:
    from poller.importers.cloudformation.importer import read  # noqa: PLC0415  (as all of it: no other command needs it)

    _show(lambda: read(path, given), f"poller import {name} {shlex.quote(str(path))}", output)


def _given(
    parameters: list[str] | None, region: str | None, account: str | None, stack: str | None, *, run_here: bool
) -> "Given":
    from poller.importers.given import Given  # noqa: PLC0415

    pairs = [text.partition("=") for text in parameters or ()]
    wrong = [name for name, equals, _ in pairs if not equals or not name]
    if wrong:
        raise ConfigurationError([f"--parameter {wrong[0]}: write NAME=VALUE"])
    return Given({name: value for name, _, value in pairs}, region, account, stack, run_here)


def _show(read: "Callable[[], Findings]", command: str, output: Path | None) -> None:
    from poller.importers.taking import take  # noqa: PLC0415
    from poller.importers.writing import lines_of, summary  # noqa: PLC0415

    if output is not None and output.exists():
        raise EnvironmentProblem(f"{output} exists already; name another file with --output, or remove it")
    try:
        imported = take(read(), Path.cwd())
    except RecursionError:
        raise ConfigurationError([f"{command}: the file is nested too deeply"]) from None
    for remark in imported.remarks:
        say(f"{remark.place}: {remark.text}", error=True)
    if imported.entries:
        _write(list(lines_of(imported, command)), output)
    say(summary(imported), error=True)
    if imported.entries and output is not None:
        say(f"wrote {output}")
        say(f"next: poller check --config {shlex.quote(str(output))}")
    if not imported.complete or not imported.entries:
        raise typer.Exit(INCOMPLETE)


def _write(lines: list[str], output: Path | None) -> None:
    if output is None:
        for line in lines:
            say(line)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise EnvironmentProblem(f"{output} cannot be written ({reason}); name another file with --output") from error
