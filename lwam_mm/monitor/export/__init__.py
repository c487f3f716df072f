"""Takes a build out of the record: for ParaView, Peregrine, tables, CAD and training."""
