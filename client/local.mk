# client
include client/engine.mk
include client/command.mk
