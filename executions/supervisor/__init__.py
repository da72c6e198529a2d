"""One small process a run, which starts the script and outlives the worker.

It imports the standard library only, and reaches neither database nor broker; what it knows is in the files
of the run's directory, so that any worker of the machine can go on from there:

    supervisor    its process id; locked (flock) while it lives
    control       a named pipe: whatever is written to it stops the run
    started       the process id of the script
    output        what the script printed, see ``records.py``
    processes     the processes of the run, for whoever stops them when the supervisor itself was killed
    heartbeat     touched every few seconds
    end           how the run ended, written when nothing of it is left
    work/         the working directory of the script
"""
