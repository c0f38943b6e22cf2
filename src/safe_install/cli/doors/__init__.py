"""The doors that CI platforms come in by: inputs as variables, results in the platform's own language.

::

    inputs             the variables of an adapter → the arguments of a command
    door               run that command, and hand its report to the platform
    github             … to GitHub: outputs, later steps' environment, annotations, summary
    gitlab             … to GitLab: a section, variables of later jobs, metrics
    workflow_commands  the words of GitHub's runner
    locating           the line of a file that an error is about

An adapter (``action.yml``, ``gitlab/``, ``jenkins/``) only starts ``ci-install door PLATFORM``.
"""
