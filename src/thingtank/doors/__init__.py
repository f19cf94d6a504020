"""How clients come in."""
