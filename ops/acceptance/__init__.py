"""The acceptance run: a deployed stack is proved, from the upload to the metric of its decision.

rows          what a check has found
run           the stack at hand, what the run makes, waits for and removes
samples       the pictures that it uploads
decisions     uploads, executions, the ledger
announcements the rule that listens, the audit log, its numbers
metrics       the metrics of decisions and confidence
alarms        alarms, and the dimensions that they and the dashboard watch
dashboard     the queries of the dashboard
endpoint      that it serves, captures and scales
delivery      the pipe, the queue policies, the dead letters
permissions   what the operator policy allows, tried with its identity
trials        the calls that it is tried with
failure       a failure that is provoked, and its alarm
checks        all of them, in their order
"""
